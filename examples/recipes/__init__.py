"""One client in each framework: files to copy, shown in docs/recipes.md and run by the tests."""
