"""The contenders of :mod:`bench.mapping`: each maps one file to another and says how many rows it wrote."""
