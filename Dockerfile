# The image of Cognomen; docs/install.md tells how to run it.
#
#   docker build --build-arg COMMIT=$(git rev-parse HEAD) -t cognomen .
#   buildah build --format docker --build-arg COMMIT=$(git rev-parse HEAD) -t cognomen .
#
# Nothing of the machine that it is for runs during the build, so --platform linux/arm64 needs no emulation.

# Node 24 with npm, on the machine that builds.
ARG BUILDER=docker.io/library/node:24-bookworm-slim
# Node 24 for the machine that the image is for, as /usr/local/bin/node.
ARG NODE=docker.io/library/node:24-bookworm-slim
# What Node needs: the C and C++ libraries. No shell is needed.
ARG BASE=gcr.io/distroless/cc-debian12

FROM --platform=${BUILDPLATFORM} ${BUILDER} AS build
ARG TARGETARCH
ARG COMMIT=
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY tools tools
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN install -D -m 644 node_modules/node-linux-*/LICENSE /image/usr/local/share/doc/LICENSE-node && \
    npm run build && COGNOMEN_COMMIT=${COMMIT} node tools/commit.js && \
    npm prune --omit=dev --ignore-scripts --no-audit --no-fund && \
    sh packaging/assemble "${TARGETARCH:-$(dpkg --print-architecture)}" /image/opt/cognomen && \
    # Without a shell there is no `env` either.
    sed -i '1s|.*|#!/usr/local/bin/node|' /image/opt/cognomen/dist/main.js && \
    mkdir -p /image/usr/local/bin && \
    ln -s /opt/cognomen/dist/main.js /image/usr/local/bin/cognomen && \
    mkdir /data

FROM ${NODE} AS node

FROM ${BASE}
LABEL org.opencontainers.image.title="Cognomen" \
      org.opencontainers.image.description="A Matrix identity server" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=build /image /
COPY --from=build --chown=993:993 /data /data
# Users, folder, variables and port are those of Sydent's image.
ENV PATH=/usr/local/bin:/usr/bin:/bin \
    NODE_OPTIONS=--max-semi-space-size=2 \
    MALLOC_ARENA_MAX=2 \
    SYDENT_CONF=/data/sydent.conf \
    SYDENT_DB_PATH=/data/sydent.db \
    SYDENT_PID_FILE=/data/sydent.pid
WORKDIR /data
VOLUME ["/data"]
USER 993:993
EXPOSE 8090/tcp
# The first start on a large database takes minutes.
HEALTHCHECK --start-period=10m --interval=30s --timeout=10s --retries=3 CMD ["cognomen", "health"]
ENTRYPOINT ["cognomen"]
CMD ["serve"]
