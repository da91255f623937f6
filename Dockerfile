# One image for every process: manage.py web, loader, worker, prepare, backup. The base is an exact tag; to pin it by
# digest as well, set PYTHON_IMAGE=python:3.12.11-slim-bookworm@sha256:... from your own registry.
ARG PYTHON_IMAGE=python:3.12.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PROJECT_ENVIRONMENT=/opt/turnlog
WORKDIR /build
COPY deploy/uv.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r uv.txt
# Everything uv.lock names, checked against its hashes; nothing of the tests.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-install-project --no-cache

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin turnlog \
    && install -d -o turnlog -g turnlog -m 0700 /data
COPY --from=build /opt/turnlog /opt/turnlog
WORKDIR /app
COPY manage.py ./
COPY proxy_project ./proxy_project
COPY gateway ./gateway
COPY dashboard ./dashboard
COPY templates ./templates
COPY deploy/health.py ./deploy/health.py
RUN /opt/turnlog/bin/python -m compileall -q /app
ENV PATH=/opt/turnlog/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TURNLOG_DATA_DIR=/data \
    TURNLOG_HOST=0.0.0.0 \
    TURNLOG_LOG_FORMAT=json
USER turnlog
VOLUME /data
EXPOSE 8787
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "manage.py"]
# Everything in one container, with its own PostgreSQL; docker-compose.yaml runs the parts apart.
CMD ["run"]
