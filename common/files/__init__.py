"""Files that people give: books, quotes, option chains, surfaces, trades; docs/FILES.md.

*Tested by* tests/unit/test_files_read.py.
"""
