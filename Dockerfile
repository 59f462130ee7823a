# The engine's image: CPython from Debian's source, the locked dependencies, and nothing that compiles.
#
#     docker build --tag engine:3.13t .                                the free-threaded build
#     docker build --tag engine:3.13 --build-arg PYTHON=3.13 .         the same with the GIL, to compare
#     docker build --build-arg PGO=1 ...                               profile-guided and link-time optimisation: slow to make
#
# scripts/image runs these, and without a docker engine builds the same with buildah. On networks that intercept TLS,
# --secret id=ca,src=FILE gives the certificate authorities to trust while building; they are not kept.
# Runs as user 10001 with a read-only root file system and a tmpfs on /tmp.

# The source is a stage of its own, so that both builds are made from the same one.
FROM debian:trixie-slim AS source
ARG SERIES=3.13
WORKDIR /build
COPY scripts/lib.sh scripts/fetch-python-source scripts/
RUN scripts/fetch-python-source "$SERIES" /source

FROM source AS python
COPY scripts/build-python scripts/
ARG PYTHON=3.13t
ARG PGO=0
RUN PGO="$PGO" scripts/build-python "$PYTHON" /opt/python /source/*/source
# What no service needs: headers, debug symbols, desktop parts, what only an interpreter with -O reads, and the modules
# whose libraries the last stage leaves out. VERSION is Debian's, for whoever asks what the image consists of.
RUN cd /opt/python \
    && basename /source/*/ >VERSION \
    && rm -rf include share lib/pkgconfig lib/python3*/config-* bin/idle3* bin/pydoc3* bin/*-config \
    && cd lib/python3* \
    && rm -rf curses ensurepip idlelib pydoc_data sqlite3 tkinter turtle.py turtledemo \
        lib-dynload/_curses* lib-dynload/_sqlite3.* lib-dynload/_tkinter.* lib-dynload/readline.* \
    && find . -name '*.opt-?.pyc' -delete \
    && find /opt/python -type f \( -name '*.so' -o -path '*/bin/python3*' \) -exec strip --strip-debug {} +

FROM debian:trixie-slim AS installer
WORKDIR /build
ENV ENGINE_CACHE=/cache UV_CACHE_DIR=/cache/uv-cache UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
COPY scripts/lib.sh scripts/uv scripts/
COPY requirements/uv.lock requirements/
RUN --mount=type=secret,id=ca \
    if [ -e /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    ln -s "$(scripts/uv)" /usr/local/bin/uv
COPY requirements/ requirements/
COPY --from=python /opt/python /opt/python
ARG PYTHON=3.13t
# msgspec, the faster JSON, where it can be had: it cannot be built for 3.13t. Tests and headers inside wheels stay out.
RUN --mount=type=secret,id=ca \
    if [ -e /run/secrets/ca ]; then export SSL_CERT_FILE=/run/secrets/ca; fi; \
    uv venv --quiet --no-project --python "/opt/python/bin/python$PYTHON" /opt/engine \
    && uv pip sync --quiet --python /opt/engine --require-hashes --only-binary :all: --compile-bytecode \
        requirements/engine.lock $([ "$PYTHON" = 3.13t ] || echo requirements/msgspec.lock) \
    && rm -rf /opt/engine/lib/python3*/site-packages/pyarrow/include /opt/engine/lib/python3*/site-packages/pyarrow/tests
# The C kernels are compiled when the wheel is built.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
COPY pyproject.toml ./
COPY scripts/build_native.py scripts/
COPY engine/ engine/
RUN --mount=type=secret,id=ca \
    if [ -e /run/secrets/ca ]; then export SSL_CERT_FILE=/run/secrets/ca; fi; \
    uv build --quiet --wheel --python "/opt/python/bin/python$PYTHON" --build-constraints requirements/dev.lock \
        --require-hashes --out-dir /build/dist \
    && uv pip install --quiet --python /opt/engine --offline --no-deps --compile-bytecode /build/dist/*.whl

FROM debian:trixie-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libffi8 libssl3t64 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin engine \
    && mkdir /srv/engine \
    && find / -xdev -perm /6000 -type f -exec chmod a-s {} +
COPY --from=python /opt/python /opt/python
COPY --from=installer /opt/engine /opt/engine
# The C kernels, without which everything is slow and right, and every library that a compiled module wants: where one is
# not here the build must stop, not a customer's import.
RUN ls /opt/engine/lib/python3*/site-packages/engine/core/native/libkernels.so.1 \
    && ! find /opt -name '*.so*' -type f -exec ldd {} + 2>&1 | grep 'not found'
ENV PATH=/opt/engine/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp PYTHONDONTWRITEBYTECODE=1
# Mount config.toml and mappings/ here, or set ENGINE_<SECTION>__<KEY>.
WORKDIR /srv/engine
USER 10001:10001
# What this build is, whether the GIL stayed off and whether everything imports: about a second of one CPU each time.
HEALTHCHECK --interval=2m --timeout=30s --start-period=10s --retries=3 CMD ["engine", "doctor"]
ENTRYPOINT ["engine"]
CMD ["worker"]
