"""Compresses the weights of an exported model: compress_ir.py FROM TO int8|int4 GROUP (folders).

What `optimum-cli export openvino --weight-format` does behind the export: NNCF's default modes,
asymmetric; int4 leaves the head at int8. From one export, instead of tracing the model each time.
"""
import shutil
import sys
from pathlib import Path


def main(source, target, kind, group):
    import nncf
    import openvino
    model = openvino.Core().read_model(f"{source}/openvino_model.xml")
    if kind == "int8":
        model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
    else:
        model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT4_ASYM,
                                      group_size=group, ratio=1.0)
    Path(target).mkdir(parents=True)
    openvino.save_model(model, f"{target}/openvino_model.xml")
    for file in Path(source).iterdir():
        if file.is_file() and not file.name.startswith("openvino_model."):
            shutil.copy(file, target)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
