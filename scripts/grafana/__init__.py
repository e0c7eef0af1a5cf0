"""The tables that scripts/dashboards.py writes dashboards from: a module a dashboard, on top of queries and panels."""
