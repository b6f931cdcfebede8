"""The HTML pages of a study: what they show, under which headings, in which words.

Belongs here: what reads tables and pictures and fills a template of `report/`. Not here: new numbers (`analysis`).
"""
