"""Writes the forest of forest.h5's map as an ONNX model: one ai.onnx.ml TreeEnsembleClassifier, checked by onnx.checker.

usage: forest_onnx.py FOREST.h5 MODEL.onnx

Input `features`: float [faults, features], the columns of /features in their order. Outputs: `label`, int64 [faults], 1 for
critical (a vote above 0.5), and `votes`, float [faults, 2], of acceptable and critical. Votes are not probabilities:
/calibration says what they mean.

Exit codes: 0 written, 65 there is no forest in the file, 69 a module is missing, 74 a file cannot be read or written.
"""

import os
import pathlib
import secrets
import sys

DATA, UNAVAILABLE, IO = 65, 69, 74


class Failure(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def read_trees(file):
    """Node columns of the forest of the map, with the tree and the place in it of every node."""
    tolerances = file["/tolerances"][:]
    tolerance = float(file.attrs["tolerance"])
    row = int(np.argmin(np.abs(tolerances - tolerance)))
    first, last = file["/forests/offset"][row:row + 2]
    if first == last:
        raise Failure(DATA, f"{file.filename} has no forest for a tolerance of {tolerance}: nothing to export")
    roots = file["/forests/first_node"][first:last].astype(np.int64)
    nodes = {name: file[f"/forests/{name}"][roots[0]:roots[-1]]
             for name in ("feature", "threshold", "left", "right", "probability")}
    sizes = np.diff(roots)
    nodes["tree"] = np.repeat(np.arange(sizes.size), sizes)
    nodes["node"] = np.arange(sizes.sum()) - np.repeat(roots[:-1] - roots[0], sizes)
    return nodes, sizes.size


def make_model(file):
    nodes, trees = read_trees(file)
    leaf = nodes["feature"] < 0
    leaves = np.flatnonzero(leaf)
    critical = nodes["probability"][leaves].astype(np.float64) / trees
    acceptable = (1 - nodes["probability"][leaves].astype(np.float64)) / trees
    names = [name.decode() for name in file["/features"][:]]
    forest = helper.make_node(
        "TreeEnsembleClassifier", ["features"], ["label", "votes"], domain="ai.onnx.ml",
        nodes_treeids=nodes["tree"].tolist(), nodes_nodeids=nodes["node"].tolist(),
        nodes_featureids=np.where(leaf, 0, nodes["feature"]).tolist(), nodes_values=nodes["threshold"].tolist(),
        nodes_modes=["LEAF" if is_leaf else "BRANCH_LEQ" for is_leaf in leaf],
        nodes_truenodeids=np.where(leaf, 0, nodes["left"]).tolist(),
        nodes_falsenodeids=np.where(leaf, 0, nodes["right"]).tolist(),
        nodes_missing_value_tracks_true=np.zeros(leaf.size, int).tolist(),
        class_treeids=np.repeat(nodes["tree"][leaves], 2).tolist(),
        class_nodeids=np.repeat(nodes["node"][leaves], 2).tolist(), class_ids=[0, 1] * leaves.size,
        class_weights=np.column_stack([acceptable, critical]).ravel().astype(np.float32).tolist(),
        classlabels_int64s=[0, 1], post_transform="NONE",
    )
    graph = helper.make_graph(
        [forest], "criticality",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(names)])],
        [helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
         helper.make_tensor_value_info("votes", TensorProto.FLOAT, [None, 2])],
    )
    model = helper.make_model(graph, producer_name="flipstorm", ir_version=8, opset_imports=[
        helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 1)])
    helper.set_model_props(model, {
        "features": ",".join(names), "tolerance": repr(float(file.attrs["tolerance"])),
        "kind": file.attrs["kind"].decode() if isinstance(file.attrs["kind"], bytes) else str(file.attrs["kind"]),
    })
    onnx.checker.check_model(model)
    return model


def main(source, target):
    try:
        with h5py.File(source, "r") as file:
            model = make_model(file)
    except OSError as error:
        raise Failure(IO, f"{source}: not a readable HDF5 file ({error})") from error
    except KeyError as error:
        raise Failure(IO, f"{source}: {error.args[0]}; not a forest.h5?") from error
    # A name that flipstorm recognises if this is killed: see engine/base/temporary_file.hpp.
    target = pathlib.Path(target)
    temporary = target.with_name(f".{target.name}.{'0' * 16}{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(model.SerializeToString())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise Failure(IO, f"cannot write '{target}': {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


if __name__ == "__main__":
    try:
        import h5py
        import numpy as np
        import onnx
        from onnx import TensorProto, helper
    except ImportError as missing:
        print(f"no export: needs h5py and onnx (Debian: apt install python3-h5py python3-onnx): {missing}", file=sys.stderr)
        sys.exit(UNAVAILABLE)
    try:
        main(*sys.argv[1:])
    except Failure as failure:
        print(failure, file=sys.stderr)
        sys.exit(failure.code)
