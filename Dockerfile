# bench in a container: `--target cpu`, or `--target cuda` for NVIDIA GPUs (the last target, so the default).
#   docker build --target cpu -t benchgrid:cpu .
#   docker run --rm -it --shm-size 2g -v "$PWD:/workspace" benchgrid:cpu run quick
#   docker run --rm -it --shm-size 2g --gpus all -v "$PWD:/workspace" benchgrid:cuda run quick
# Ray keeps its objects in /dev/shm, for which Docker's 64 MB are too few.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY bench bench
COPY suites suites
RUN pip install --no-cache-dir build==1.6.1 && python -m build --wheel --outdir /wheel

FROM python:${PYTHON}-slim AS base
# Data sets, models' answers and the ledger lie in /workspace, which is the folder of the person who runs it.
ENV BENCH_DATA=/workspace/data MPLBACKEND=agg PYTHONUNBUFFERED=1 HOME=/tmp/home
RUN mkdir -m 1777 /tmp/home /workspace
COPY constraints.txt /constraints.txt
COPY --from=wheel /wheel /wheel

FROM base AS cpu
# PyTorch's build for CPUs is a fifth of the size.
RUN pip install --no-cache-dir --constraint /constraints.txt \
      --extra-index-url https://download.pytorch.org/whl/cpu /wheel/*.whl
WORKDIR /workspace
USER 1000
ENTRYPOINT ["bench"]
CMD ["--help"]

FROM base AS cuda
# PyTorch's wheels bring CUDA's libraries; the driver is the host's, by NVIDIA's container toolkit.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
RUN pip install --no-cache-dir --constraint /constraints.txt /wheel/*.whl
WORKDIR /workspace
USER 1000
ENTRYPOINT ["bench"]
CMD ["--help"]
