"""The reproduction suite: plays pieces, writes raw tables from their run directories, and a page from the tables alone."""
