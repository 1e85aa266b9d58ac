"""The report: valid, self-contained, complete, the same on every run."""

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from sympy import Lambda, Symbol, tanh

from gatetheory.errors import ParameterError
from gatetheory.functions import logistic
from gatetheory.model import (
    POSITIVE,
    Coupling,
    Field,
    Model,
    Nonlinearity,
    Parameter,
    WhiteNoise,
    fields,
    local_field,
    zoo,
)
from gatetheory.presentation import report

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Reader(HTMLParser):
    """Checks that elements close in order; collects ids, links and text by element."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.seen: set[str] = set()
        self.sources: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "data", "srcset", "poster"):
                self.sources.append((tag, name, value or ""))
            if name.startswith("on"):
                raise AssertionError(f"{tag} runs a script: {name}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.slow
def test_it_is_well_formed(page: str) -> None:
    reader = read(page)
    assert len(set(reader.ids)) == len(reader.ids)
    for tag in ("math", "svg"):
        found = re.findall(rf"<{tag}\b.*?</{tag}>", page, flags=re.DOTALL)
        assert found
        for text in found:
            ElementTree.fromstring(text)


def test_nothing_comes_from_elsewhere(page: str) -> None:
    reader = read(page)
    assert not reader.seen & {"script", "link", "iframe", "img", "object", "embed", "base"}
    for tag, name, value in reader.sources:
        if tag == "a" and name == "href":
            assert value.startswith(("#", "https://doi.org/", "https://arxiv.org/"))
        else:
            assert value.startswith("#"), (tag, name, value)
    style = page[page.index("<style>") : page.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style


def test_links_inside_the_page_lead_somewhere(page: str) -> None:
    reader = read(page)
    inside = {value[1:] for _, _, value in reader.sources if value.startswith("#")}
    assert inside <= set(reader.ids)
    assert "fixed_points.Delta_h" in inside


def test_it_tells_everything(page: str) -> None:
    for words in (
        *("classical random network", "Single-site process", "Derived equations", "Solutions"),
        *("Spectrum", "Theory and simulation", "Assumptions", "References", "spectral abscissa"),
        *("✓ agrees", "gain of φ", "17/10", "derivation", "How this page was made"),
        *("Chaotic state", "Transitions", "the zero state loses stability"),
        *("Chaos in Random Neural Networks", "N = 20, 40"),
    ):
        assert words in page, words
    assert page.count("<svg") == 7  # two of them of the chaotic state, one of gradients


def test_gradients_have_a_section(page: str) -> None:
    start = page.index('<section id="gradients"')
    section = page[start : page.index("</section>", start)]
    for words in (
        *("gradients.Q_h", "gradients.mu_h", "gradients.v_h", "Gradients over the horizon"),
        *("|λ|² grows backward at rate", "twice the largest Lyapunov exponent", "T\u00a0=\u00a05"),
    ):
        assert words in section, words
    rates = re.findall(r"rate</dt><dd>.*?([0-9.]{8,})|exponent</dt><dd>([0-9.]{8,})", section)
    backward, forward = (float(a or b) for a, b in rates)
    assert backward == pytest.approx(forward, rel=1e-6)


@pytest.mark.slow
def test_the_same_call_writes_the_same_bytes(page: str, tmp_path: Path) -> None:
    again = report(zoo.classical(), {"g": "1.7"}, tmp_path, units=(20, 40), seeds=3)
    assert again.read_text(encoding="utf-8") == page


@pytest.mark.slow
def test_progress_never_goes_back(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))

    path = report(zoo.classical(), None, tmp_path / "new" / "folder", units=20, seeds=2,
                  progress=progress)  # fmt: skip
    assert path == tmp_path / "new" / "folder" / "classical.html"
    assert seen == sorted(seen)
    assert seen[-1] == (100, 100)


@pytest.mark.slow
def test_a_model_without_fixed_points_still_has_a_page(tmp_path: Path) -> None:
    base = zoo.classical()
    level = Parameter("D", "1/20", POSITIVE, "intensity")
    noisy = base.with_input("h", WhiteNoise(Symbol("xi", real=True), level.symbol), level)
    text = report(noisy, None, tmp_path, units=20, seeds=2).read_text(encoding="utf-8")
    read(text)
    assert "Not available" in text
    assert "never rests" in text


def test_bad_input_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no parameter"):
        report(zoo.classical(), {"gg": 1}, tmp_path)
    with pytest.raises(ParameterError, match="units"):
        report(zoo.classical(), None, tmp_path, units=0)
    assert list(tmp_path.iterdir()) == []
    taken = tmp_path / "file"
    taken.touch()
    with pytest.raises(ParameterError, match="cannot make the folder"):
        report(zoo.classical(), None, taken)


@pytest.mark.slow
def test_text_of_a_model_is_escaped(tmp_path: Path) -> None:
    base = zoo.classical()
    gain = Parameter("g", 2, POSITIVE, "<script>alert('gain')</script> & more")
    text = report(base.with_parameters(gain), None, tmp_path, units=20, seeds=2).read_text("utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def duo() -> Model:
    """Two fast fields and a multiplicative gate, with two order parameters that need each other."""
    u, v = fields("u v")
    eta_u, eta_v = local_field("u"), local_field("v")
    x = Symbol("x", real=True)
    gain = Parameter("gain", 3, POSITIVE, "gain")
    rate = Nonlinearity("f", Lambda(x, tanh(gain.symbol * x)), "activation")
    gate = Nonlinearity("q", Lambda(x, logistic(2 * x)), "gate")
    return Model(
        name="duo",
        time="continuous",
        fields=(Field(u, drift=gate(v) * (eta_u - u)), Field(v, drift=eta_v - v)),
        couplings=(
            Coupling(eta_u, signal=rate(u) * gate(v), variance=2),
            Coupling(eta_v, signal=rate(v) + rate(u) / 2),
        ),
        parameters=(gain,),
        nonlinearities=(rate, gate),
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gated", "gru", "duo"])
def test_other_models(name: str, tmp_path: Path) -> None:
    model = duo() if name == "duo" else zoo.MODELS[name]()
    text = report(model, None, tmp_path, units=(20, 40), seeds=2).read_text(encoding="utf-8")
    reader = read(text)
    assert len(set(reader.ids)) == len(reader.ids)
    for formula in re.findall(r"<math\b.*?</math>", text, flags=re.DOTALL):
        ElementTree.fromstring(formula)
    assert "spectral radius" in text if name == "gru" else "spectral abscissa" in text
