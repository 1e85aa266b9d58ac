"""Equations to programs: quadratures and arithmetic, in doubles and in multiple precision."""
