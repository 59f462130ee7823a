"""AWS: the one package that imports its SDK."""

import os

# ``checksums`` uses awscrt, and botocore would take up signing with it as soon as it is installed: another signer,
# which aiobotocore is not tested with. It looks when it is imported, so this comes first.
os.environ.setdefault("BOTO_DISABLE_CRT", "true")
