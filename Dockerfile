# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS builder
WORKDIR /build

# The dependencies, in a layer of their own: it is built again only when they change.
COPY Cargo.toml Cargo.lock build.rs ./
# Cargo wants to see every target that Cargo.toml names, the benchmarks too; an empty one does.
RUN mkdir src benches \
    && touch src/lib.rs benches/page.rs benches/exposition.rs benches/model.rs benches/timers.rs \
    && echo 'fn main() {}' >src/main.rs \
    && cargo build --locked --release \
    && rm -r src

COPY config config
COPY src src
# Which revision this is: --build-arg REVISION="$(git rev-parse --short=12 HEAD)"
ARG REVISION=""
ENV MME_REVISION=$REVISION
# Cargo goes by modification times, and those of the copied files are older than the empty program.
RUN touch build.rs src/lib.rs src/main.rs \
    && cargo build --locked --release

FROM debian:bookworm-slim
# TLS to the APIs trusts the system's certificates, which the builder has.
COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=builder /build/target/release/marketing-messages-exporter /usr/local/bin/marketing-messages-exporter

USER 65534:65534
EXPOSE 10396
HEALTHCHECK --interval=30s --timeout=6s --start-period=5s CMD ["marketing-messages-exporter", "healthcheck"]
ENTRYPOINT ["marketing-messages-exporter"]
