"""`guldberg simulate`: one network, every way of following it through time."""
