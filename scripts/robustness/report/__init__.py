"""The HTML pages of a study. They show tables and pictures and compute nothing new."""
