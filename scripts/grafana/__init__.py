"""The tables that scripts/dashboards.py writes dashboards from: one module a dashboard, on top of queries and panels."""
