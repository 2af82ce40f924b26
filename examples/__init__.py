"""Programs that show the library at work; see the page of each one in the docs."""
