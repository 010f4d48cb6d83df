"""The partnership's performance data as people read it (N10): pages with charts, CSV, and the monthly report."""
