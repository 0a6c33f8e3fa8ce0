"""Pages that are generated when the site is built.

| module | page |
|---|---|
| `python_api` | the Python reference, from docstrings in Google style |
| `commands` | the command line reference, from the help of each command |
| `recipes` | the recipe reference, from `recipes/schema.json` |
| `results` | tables, from the CSV files in `benchmarks/results` |
| `links` | the check that no page loads from another host |
"""
