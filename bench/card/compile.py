"""Compiles the steps of a training for an NVIDIA card that need not be there: does XLA's CUDA plugin take them, how much of
the card's memory do they want, and what do they become?

    pip install 'jax[cuda13]'
    XLA_FLAGS='--xla_dump_to=dump --xla_dump_hlo_as_proto --xla_backend_optimization_level=0' \\
        vc train --speakers recordings --preset live --batch 32 --steps 4 --set bfloat16=true --set warmUpShare=0 --device cpu --run runs/dump
    python3 bench/card/compile.py dump

XLA's CPU plugin leaves what it was given in the folder; that is turned back into StableHLO and compiled ahead of time for an
H100. Nothing is run, so the autotuning of convolutions and matrix products, which a card does at its first step, is left out.
"""

import argparse
import collections
import os
import pathlib
import re
import site
import time

# The card, as XLA describes it. Other cards: change the numbers.
H100 = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 threads_per_core_limit: 2048
  shared_memory_per_block: 49152 shared_memory_per_core: 233472 shared_memory_per_block_optin: 232448
  core_count: 132 fpus_per_core: 128 clock_rate_ghz: 1.98
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  memory_bandwidth: 3352320000000 l2_cache_size: 52428800 device_memory_size: 84929347584
  cuda_compute_capability { major: 9 minor: 0 }
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 12 patch: 0 }
runtime_version { major: 13 minor: 0 patch: 0 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""


def module_of(dump):
    """The module in an HloProto, which is a message with the module as its first field."""
    size = shift = 0
    for at in range(1, 10):
        size |= (dump[at] & 127) << shift
        shift += 7
        if dump[at] < 128:
            return dump[at + 1 : at + 1 + size]
    raise ValueError("not an HloProto")


def cuda_folder(plugin):
    """Where the compiler's parts lie: beside the plugin, or where pip laid them."""
    beside = [plugin.resolve().parents[2]] if plugin else []
    for packages in beside + site.getsitepackages():
        for name in ("nvidia/cu13", "nvidia/cuda_nvcc"):
            if os.path.isdir(os.path.join(packages, name)):
                return os.path.join(packages, name)
    raise SystemExit("nvidia/cu13 is not among Python's packages: pip install 'jax[cuda13]'")


def tally(hlo):
    """What a compiled module consists of: kernels, and its convolutions and matrix products by type."""
    entry = hlo[hlo.index("\nENTRY") :]
    kernels = len(re.findall(r" (?:fusion|custom-call|copy|reduce|transpose|convert)\(", entry))
    convolutions = collections.Counter(re.findall(r"= \(?(\w+)\[[^=]*? custom-call\([^\n]*__cudnn\$conv", entry))
    products = collections.Counter(re.findall(r"= (\w+)\[[^=\n]* dot\(", hlo))
    products.update(re.findall(r"= \(?(\w+)\[[^=]*? custom-call\([^\n]*__cublas", entry))
    exchanges = len(re.findall(r" (?:all-reduce|all-gather|reduce-scatter|collective-permute|all-to-all)(?:-start)?\(", hlo))
    return kernels, dict(convolutions), dict(products), exchanges


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", type=pathlib.Path, help="folder of --xla_dump_to")
    parser.add_argument("--at-least", type=int, default=100, metavar="KB", help="leave smaller modules out")
    parser.add_argument("--cards", type=int, default=1, metavar="N", help="of one host, for a dump of vc train --gpus N")
    parser.add_argument("--plugin", type=pathlib.Path, metavar="FILE", help="the xla_cuda_plugin.so to ask, such as that of vc setup cuda (default: pip's)")
    arguments = parser.parse_args()

    os.environ["JAX_PLATFORMS"] = "cpu,cuda"
    os.environ["JAX_SKIP_CUDA_CONSTRAINTS_CHECK"] = "1"  # it asks the driver
    os.environ["XLA_FLAGS"] = f"--xla_gpu_autotune_level=0 --xla_gpu_cuda_data_dir={cuda_folder(arguments.plugin)}"
    import numpy
    from jax._src import xla_bridge
    from jax._src.interpreters import mlir
    from jax._src.lib import xla_client
    from jax.experimental import topologies
    from jaxlib import _jax
    from jaxlib.mlir import ir

    if arguments.plugin:
        xla_bridge.register_plugin("cuda", library_path=str(arguments.plugin.resolve()))
    topology = topologies.get_topology_desc(platform="cuda", topology_name="", target_config=H100, topology=f"1x1x{arguments.cards}")
    client = topology.devices[0].client
    options = xla_client.CompileOptions()
    options.num_replicas, options.num_partitions = 1, arguments.cards
    options.executable_build_options.num_partitions = arguments.cards
    options.executable_build_options.use_spmd_partitioning = arguments.cards > 1
    options.executable_build_options.use_shardy_partitioner = arguments.cards > 1  # as GoMLX does
    options.device_assignment = xla_client.DeviceAssignment.create(numpy.array([[d.id for d in topology.devices]], numpy.int32))
    files = sorted(arguments.dump.glob("*before_optimizations.hlo.pb"))
    if not files:
        raise SystemExit(f"{arguments.dump}: holds no *.before_optimizations.hlo.pb")
    failed = 0
    with mlir.make_ir_context():
        for file in files:
            if file.stat().st_size < arguments.at_least << 10:
                continue
            text = str(ir.Module.parse(_jax.mlir.hlo_to_stablehlo(module_of(file.read_bytes()))))
            # For a card GoMLX sets no algorithm: precision DEFAULT there is bfloat16 as it is, and TF32 for float32.
            text = re.sub(r",? ?algorithm = (?:#stablehlo\.dot_algorithm)?<[^>]*>", "", text).replace("{, ", "{").replace("<{}>", "")
            text = re.sub(r"algorithm = (?:#stablehlo\.dot_algorithm)?<[^>]*>,? ?", "", text)
            began = time.time()
            name = file.name.split(".")[0]
            try:
                done = client.compile(ir.Module.parse(text), _jax.DeviceList(tuple(topology.devices)), options)
            except Exception as refusal:  # whatever the compiler says is the result
                failed += 1
                print(f"{name}: refused: {str(refusal)[:2000]}")
                continue
            memory = done.get_compiled_memory_stats()
            kernels, convolutions, products, exchanges = tally(done.hlo_modules()[0].to_string())
            print(
                f"{name}: compiled in {time.time() - began:.0f} s; MB: inputs {memory.argument_size_in_bytes / 1e6:.0f},"
                f" outputs {memory.output_size_in_bytes / 1e6:.0f}, in between {memory.temp_size_in_bytes / 1e6:.0f};"
                f" kernels {kernels}, convolutions {convolutions}, matrix products {products}"
                + (f", exchanges between cards {exchanges}" if arguments.cards > 1 else ""),
                flush=True,
            )
    print("all compiled" if failed == 0 else f"{failed} refused", flush=True)
    os._exit(1 if failed else 0)  # the client of a card that is not there cannot be closed


if __name__ == "__main__":
    main()
