package mlx

import (
	"sync"

	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"
	"github.com/gomlx/gomlx/ml/model"
)

// mesh is several devices of one backend that share the items of a batch; XLA's partitioner makes of a graph for the whole
// batch what each of them does, and adds up the gradients.
type mesh struct {
	devices     *distributed.DeviceMesh
	part, whole *distributed.ShardingSpec

	mu     sync.Mutex                          // of shards: inputs are uploaded beside a call
	shards map[*tensors.Tensor]*dtensor.Tensor // of the inputs that are not freed yet
}

func newMesh(devices int) (*mesh, error) {
	const axis = "batch"
	d, err := distributed.NewDeviceMesh([]int{devices}, []string{axis})
	if err != nil {
		return nil, err
	}
	part, err := distributed.BuildSpec(d).S(axis).Done()
	if err != nil {
		return nil, err
	}
	return &mesh{
		devices: d, part: part, whole: distributed.NewReplicatedShardingSpec(d), shards: map[*tensors.Tensor]*dtensor.Tensor{},
	}, nil
}

// spec tells what each device gets of an input.
func (m *mesh) spec(t *tensors.Tensor) *distributed.ShardingSpec {
	if t.Rank() < 2 {
		return m.whole
	}
	return m.part
}

// configure prepares an exec that is to be called with inputs such as these. Its outputs and all variables are whole on
// every device.
func (m *mesh) configure(exec *model.Exec, inputs []*tensors.Tensor) error {
	specs := make([]*distributed.ShardingSpec, len(inputs))
	for i, t := range inputs {
		specs[i] = m.spec(t)
	}
	exec.AutoSharding(m.devices).WithInputShardingSpecs(specs...).WithOutputShardingSpecs(m.whole)
	return exec.SetDefaultShardingSpec(m.whole)
}

// shard is t as the devices take it, made once.
func (m *mesh) shard(t *tensors.Tensor) (*dtensor.Tensor, error) {
	m.mu.Lock()
	d := m.shards[t]
	m.mu.Unlock()
	if d != nil {
		return d, nil
	}
	d, err := dtensor.ShardTensor(m.spec(t), t)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	m.shards[t] = d
	m.mu.Unlock()
	return d, nil
}

func (m *mesh) free(ts []*tensors.Tensor) error {
	for _, t := range ts {
		m.mu.Lock()
		d := m.shards[t]
		delete(m.shards, t)
		m.mu.Unlock()
		if d != nil {
			if err := d.Finalize(); err != nil {
				return err
			}
		}
	}
	return nil
}
