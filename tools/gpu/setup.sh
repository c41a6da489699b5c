#!/usr/bin/env bash
# setup.sh KIT: a fresh environment KIT/venv from the wheels in KIT/wheels and the packages of python3 (its CUDA torch),
# without network, and KIT/code on its path. A venv of a venv would not see the outer one's packages, so a .pth names
# them; the outer pip installs, since the machine may lack ensurepip. PYTHON: another interpreter, as the rehearsal has.
set -euo pipefail
kit=$1
python=${PYTHON:-python3}
"$python" -m venv --clear --without-pip "$kit/venv"
site=$("$kit/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"$python" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --disable-pip-version-check \
  --target "$site" "$kit"/wheels/*.whl
{
  echo "$kit/code"
  "$python" -c 'import site; print("\n".join(site.getsitepackages()))'
} >"$site/kit.pth"
cd "$kit/code"
"$kit/venv/bin/python" - <<'CHECK'
import av, constriction, cv2, diffusers, efficientnet_lite_pytorch, torch
from neurcodec.training import stages
print(f"torch {torch.__version__}, CUDA {torch.cuda.is_available()}, av {av.__version__}, diffusers {diffusers.__version__}")
CHECK
