# codex-parity for people without Node: docker build -t codex-parity . && docker run --rm -v "$PWD:/work" codex-parity check
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY . .
RUN npm ci --ignore-scripts --no-audit --no-fund
RUN npm run prepare
RUN mkdir -p /package && npm pack --ignore-scripts --pack-destination /package

FROM node:24-bookworm-slim
COPY --from=build /package /package
WORKDIR /installed
RUN npm install --ignore-scripts --no-audit --no-fund /package/*.tgz
ENV PATH=/installed/node_modules/.bin:$PATH
WORKDIR /work
ENTRYPOINT ["codex-parity"]
CMD ["--help"]
