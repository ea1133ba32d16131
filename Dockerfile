# Two images of the `mammo` command.
#
#   docker build --target cpu -t mammostream:cpu . && docker run --rm mammostream:cpu doctor
#   docker build --target gpu -t mammostream:gpu . && docker run --rm --gpus all mammostream:gpu doctor
#
# Mount data and results: docker run -v /archive:/archive:ro -v "$PWD":/work mammostream:cpu scan ...
# PyTorch is the default build in both, so the cpu image carries CUDA libraries that it never loads.

FROM python:3.12-slim AS wheel
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim AS installed
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir /wheels/*.whl \
    && useradd --create-home --uid 1000 mammo \
    && mkdir /work && chown mammo /work
WORKDIR /work
ENTRYPOINT ["mammo"]
CMD ["doctor"]

FROM installed AS gpu
RUN pip install --no-cache-dir "$(ls /wheels/*.whl)[gpu]"
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER mammo

FROM installed AS cpu
USER mammo
