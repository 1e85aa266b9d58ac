"""The literature that derivations and solutions cite."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A published source.

    ``key`` is the name used in code and in ``references.bib``-style output.
    """

    key: str
    authors: str
    title: str
    journal: str
    year: int
    doi: str = ""
    arxiv: str = ""

    def __str__(self) -> str:
        text = f"{self.authors}, “{self.title}”, {self.journal} ({self.year})"
        if self.doi:
            text += f", doi:{self.doi}"
        if self.arxiv:
            text += f", arXiv:{self.arxiv}"
        return text


GATING = Reference(
    key="krishnamurthy2022",
    authors="K. Krishnamurthy, T. Can and D. J. Schwab",
    title="Theory of Gating in Recurrent Neural Networks",
    journal="Phys. Rev. X 12, 011011",
    year=2022,
    doi="10.1103/PhysRevX.12.011011",
    arxiv="2007.14823",
)
SCS = Reference(
    key="sompolinsky1988",
    authors="H. Sompolinsky, A. Crisanti and H. J. Sommers",
    title="Chaos in Random Neural Networks",
    journal="Phys. Rev. Lett. 61, 259",
    year=1988,
    doi="10.1103/PhysRevLett.61.259",
)
GRU = Reference(
    key="can2020",
    authors="T. Can, K. Krishnamurthy and D. J. Schwab",
    title="Gating creates slow modes and controls phase-space complexity in GRUs and LSTMs",
    journal="Proc. Mach. Learn. Res. 107, 476",
    year=2020,
    arxiv="2002.00025",
)
CHO = Reference(
    key="cho2014",
    authors="K. Cho et al.",
    title="Learning phrase representations using RNN encoder-decoder "
    "for statistical machine translation",
    journal="Proc. EMNLP, 1724",
    year=2014,
    doi="10.3115/v1/D14-1179",
    arxiv="1406.1078",
)
SPECTRA = Reference(
    key="ahmadian2015",
    authors="Y. Ahmadian, F. Fumarola and K. D. Miller",
    title="Properties of networks with partially structured and partially random connectivity",
    journal="Phys. Rev. E 91, 012820",
    year=2015,
    doi="10.1103/PhysRevE.91.012820",
)
PATH_INTEGRAL = Reference(
    key="martin1973",
    authors="P. C. Martin, E. D. Siggia and H. A. Rose",
    title="Statistical Dynamics of Classical Systems",
    journal="Phys. Rev. A 8, 423",
    year=1973,
    doi="10.1103/PhysRevA.8.423",
)
PRICE = Reference(
    key="price1958",
    authors="R. Price",
    title="A Useful Theorem for Nonlinear Devices Having Gaussian Inputs",
    journal="IRE Trans. Inf. Theory 4, 69",
    year=1958,
    doi="10.1109/TIT.1958.1057444",
)
POSCHL_TELLER = Reference(
    key="poschl1933",
    authors="G. Pöschl and E. Teller",
    title="Bemerkungen zur Quantenmechanik des anharmonischen Oszillators",
    journal="Z. Phys. 83, 143",
    year=1933,
    doi="10.1007/BF01331132",
)
