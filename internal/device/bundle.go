package device

import (
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/starvc/vc/internal/wheel"
)

// Bundle is what `vc setup` can install: wheels that belong together.
type Bundle struct {
	Name   string // of the folder that it is unpacked into
	Pins   []wheel.Pin
	Plugin string // the plugin's file below that folder
}

// cudaWheels are JAX's plugin and NVIDIA's libraries, as JAX names them in the extra "with-cuda" of jax-cuda13-plugin 0.11.2,
// in the versions that were newest when it was published. That plugin's own wheel is left out: it holds kernels for Python.
var cudaWheels = []wheel.Pin{
	{
		Project: "jax-cuda13-pjrt", Version: "0.11.2", Bytes: 134162640, File: "jax_cuda13_pjrt-0.11.2-py3-none-manylinux_2_27_x86_64.whl",
		SHA256: "e5ff589d43064913bb74027682d89639c7ea48f9f81c2bae6fc75117e913f93e",
	},
	{
		Project: "nvidia-cublas", Version: "13.8.0.4", Bytes: 439317144, File: "nvidia_cublas-13.8.0.4-py3-none-manylinux_2_27_x86_64.whl",
		SHA256: "9f17797dfcc048694461f4e47de17d2e3c25adf172ef723d2db0a07cd8744b89",
	},
	{
		Project: "nvidia-cuda-cupti", Version: "13.4.92", Bytes: 13058283, File: "nvidia_cuda_cupti-13.4.92-py3-none-manylinux_2_25_x86_64.whl",
		SHA256: "037b561575e6983bc4fe1caae644d7a296a8367f451bf6c2a3194f4d0765431c",
	},
	{
		Project: "nvidia-cuda-nvcc", Version: "13.4.92", Bytes: 47672022, File: "nvidia_cuda_nvcc-13.4.92-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
		SHA256: "a1f3bfb27299e060b444d5df1f4bcd762501326cf0fd3141ed61756816ab9a0e",
	},
	{
		Project: "nvidia-cuda-runtime", Version: "13.4.92", Bytes: 2494438, File: "nvidia_cuda_runtime-13.4.92-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
		SHA256: "9641f797da20ce1dd8e779b6e96d08cf9ba564cec8e8225458811ee26423f3a5",
	},
	{
		Project: "nvidia-cudnn-cu13", Version: "9.26.0.51", Bytes: 519150073, File: "nvidia_cudnn_cu13-9.26.0.51-py3-none-manylinux_2_27_x86_64.whl",
		SHA256: "9c976d539786698c71d6bcdbe2053b7485fae062ff7e1215d2f2ff67b1a2149a",
	},
	{
		Project: "nvidia-cufft", Version: "12.4.0.43", Bytes: 161750089, File: "nvidia_cufft-12.4.0.43-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
		SHA256: "0e8385013596b112d29c9ce8c63dc575b308d77636c7169104e18714f03961a8",
	},
	{
		Project: "nvidia-cusolver", Version: "12.3.4.7", Bytes: 246439468, File: "nvidia_cusolver-12.3.4.7-py3-none-manylinux_2_27_x86_64.whl",
		SHA256: "225dd543c7b93ca22e62a35b5f4d8b4f9caa515733793925c05cdcf58da5cf02",
	},
	{
		Project: "nvidia-cusparse", Version: "12.8.6.72", Bytes: 170468146, File: "nvidia_cusparse-12.8.6.72-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
		SHA256: "a739f6ff51ea2a8a2990b267b9b4d3063a5d94890efb8ccf393bfcab9dd487aa",
	},
	{
		Project: "nvidia-nccl-cu13", Version: "2.31.2", Bytes: 252442223, File: "nvidia_nccl_cu13-2.31.2-py3-none-manylinux_2_18_x86_64.whl",
		SHA256: "0bcaf0308854cb55fcc35af72e2c83143f3b71e65a4e865e2c586b1cdcdb5ae0",
	},
	{
		Project: "nvidia-nvjitlink", Version: "13.4.92", Bytes: 42452378, File: "nvidia_nvjitlink-13.4.92-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
		SHA256: "e0391f24ed94ec879b84e3da4d4ec320c879aff681f2c7a638462f7199284323",
	},
	{
		Project: "nvidia-cuda-nvrtc", Version: "13.4.92", Bytes: 53301733, File: "nvidia_cuda_nvrtc-13.4.92-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
		SHA256: "5ce8c97b00b232c4f50c8c4b5a3b68cafee08bdb82ea86f2052ff01d03194f4a",
	},
	{
		Project: "nvidia-nvshmem-cu13", Version: "3.7.2", Bytes: 135397797, File: "nvidia_nvshmem_cu13-3.7.2-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
		SHA256: "b9a4f843c62b5dded8ad33fd6d220e007dcd39f06cee549292f5ba14ce4c235c",
	},
	{
		Project: "nvidia-nvvm", Version: "13.4.92", Bytes: 72604627, File: "nvidia_nvvm-13.4.92-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
		SHA256: "e4c81cb321dd9743bcf871c5e7e8fecd7f05dea607944426e102bdda8d49e137",
	},
}

// cpuWheels are a plugin of the same version of XLA for the CPU.
var cpuWheels = []wheel.Pin{
	{
		Project: "lammps-jax-pjrt-cpu", Version: "0.11.2", Bytes: 62711338, File: "lammps_jax_pjrt_cpu-0.11.2-py3-none-manylinux_2_27_x86_64.whl",
		SHA256: "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1",
	},
}

// FindBundle returns the bundle "cuda" or "cpu".
func FindBundle(name string) (Bundle, error) {
	if !hasXLA {
		return Bundle{}, errNoXLA
	}
	if runtime.GOARCH != "amd64" {
		return Bundle{}, fmt.Errorf("setup: there are plugins for x86-64 alone, this machine is %s: `pip install 'jax[cuda13]'` may have one, which vc finds", runtime.GOARCH)
	}
	switch name {
	case "cuda":
		return Bundle{Name: "cuda13-" + cudaWheels[0].Version, Pins: cudaWheels, Plugin: cudaPlugins[0]}, nil
	case "cpu":
		return Bundle{Name: "cpu-" + cpuWheels[0].Version, Pins: cpuWheels, Plugin: cpuPlugins[0]}, nil
	}
	return Bundle{}, fmt.Errorf("setup: nothing is called %q, want cuda or cpu", name)
}

// Check loads the plugin of an unpacked bundle and asks for its version.
func (b Bundle) Check(folder string) error {
	p := inspectPlugin(filepath.Join(folder, filepath.FromSlash(b.Plugin)))
	return p.Fault
}
