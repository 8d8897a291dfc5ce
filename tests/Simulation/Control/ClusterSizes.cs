// The cluster size of a job: any that a buffer of the pool can hold.
using FastBackup.Base;

namespace FastBackup.Tests.Simulation.Control;

static class ClusterSizes
{
    public static uint Draw(Simulation world, Prng prng)
    {
        uint cluster = 4096u << (int)prng.Below(5);
        while (cluster > world.Pool.BufferBytes)
            cluster /= 2;
        return cluster;
    }
}
