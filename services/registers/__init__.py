"""Brings registers and the local authority's own lists into the directory: schools, practices, teams, children.

Reading a file is pure and gives what each line says (`Said`) and what is wrong with the others (`BadLine`); comparing
that with the directory is pure and gives the records that differ (`changes`); only `importing` touches the bus.
"""
