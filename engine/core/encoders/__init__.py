"""Outputs: typed columns in, the bytes of a JSON Lines, CSV or Parquet object out.

Whatever batches a file's rows arrive in, its bytes are the same.
"""

from __future__ import annotations

from engine.core.encoders.formats import Compression, Encoder, Format, OutputFormat, output_format, output_suffix

__all__ = ["Compression", "Encoder", "Format", "OutputFormat", "output_format", "output_suffix"]
