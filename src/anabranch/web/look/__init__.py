"""What each page shows, as JSON-ready data: all that the page says is in it, and so in its JSON twin."""
