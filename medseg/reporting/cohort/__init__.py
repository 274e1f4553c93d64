"""A whole cohort on one page: what became of its cases, how quantities are distributed by scanner, who lies far out."""
