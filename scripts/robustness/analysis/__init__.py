"""What the records of attacks say: measures, tables, judges, transfer, comparisons with other attacks.

Belongs here: whatever is computed from records, images and the answers of networks. Not here: attacks (`attacks`), and
statistics that know no subject (`stats`).
"""
