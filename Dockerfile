# The editor and the HTTP service on the CPU, without torch:
#
#     docker build -t gatefill .
#     docker run --rm -p 127.0.0.1:8731:8731 --read-only --tmpfs /tmp -e GATEFILL_TOKEN=... gatefill
#
# Any other verb goes in place of `serve`:
#
#     docker run --rm --read-only --tmpfs /tmp -v "$PWD:/photos" --user "$(id -u)" gatefill \
#         inpaint photo.jpg mask.png -o clean.jpg

FROM debian:trixie-slim AS wheel
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends ca-certificates python3 python3-venv
COPY pyproject.toml README.md LICENSE /src/
COPY src /src/src
RUN python3 -m venv /build && /build/bin/pip wheel --quiet --no-deps --wheel-dir /wheel /src

FROM debian:trixie-slim
LABEL org.opencontainers.image.title="gatefill" \
      org.opencontainers.image.description="Fills holes in photos: editor and HTTP service" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN --mount=from=wheel,source=/wheel,target=/wheel \
    --mount=source=deploy/install.sh,target=/install.sh \
    --mount=source=constraints.txt,target=/constraints.txt \
    sh /install.sh /wheel/gatefill-*.whl serve,batch,heif --constraint /constraints.txt
ENV PATH=/opt/gatefill/bin:/usr/bin:/bin \
    NUMBA_CPU_NAME=generic \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /photos
EXPOSE 8731
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8731/readyz', timeout=4)"]
ENTRYPOINT ["/opt/gatefill/start"]
# A token is needed: GATEFILL_TOKEN, or --token-file with a secret that is mounted.
CMD ["serve", "--host", "0.0.0.0"]
