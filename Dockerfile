# An image with framesweep and the pinned versions of everything that it needs; docs/scaling.md
# ("Containers") shows how to build and run it.
ARG PYTHON=3.11
FROM python:${PYTHON}-slim

# DEVICE=cuda makes the build fail unless torch has CUDA. TORCH_INDEX is the address of the package
# index of torch for one kind of device; empty for the default index.
ARG DEVICE=cpu
ARG TORCH_INDEX=

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /opt/framesweep
COPY constraints.txt ./
# A layer of its own: torch is large, and changes less often than the code.
RUN python -m pip install --constraint constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch
RUN test "$DEVICE" = cpu || python -c "import torch; assert torch.version.cuda, 'torch has no CUDA'"

COPY pyproject.toml README.md LICENSE ./
COPY conf ./conf
COPY src ./src
RUN python -m pip install --constraint constraints.txt .
RUN framesweep keys data.context

# The container may run as any user, who need not have a home directory. The last two variables
# give it the GPUs of the host, where NVIDIA's container toolkit is installed.
ENV MPLCONFIGDIR=/tmp/matplotlib \
    NUMBA_CACHE_DIR=/tmp/numba \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

WORKDIR /work
ENTRYPOINT ["framesweep"]
CMD ["--help"]
