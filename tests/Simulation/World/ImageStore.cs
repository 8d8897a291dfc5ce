// Byte arrays for disks and frozen copies, reused from seed to seed by one thread: fresh large arrays would cost more
// than the simulation itself.
using System.Collections.Generic;
using System.Numerics;

namespace FastBackup.Tests.Simulation.World;

sealed class ImageStore
{
    readonly Stack<byte[]>[] _free = new Stack<byte[]>[32];
    readonly List<byte[]> _taken = [];

    /// <summary>At least this long; the content is whatever it was.</summary>
    public byte[] Rent(int lengthBytes)
    {
        int size = BitOperations.Log2((uint)System.Math.Max(lengthBytes, 4096) - 1) + 1;
        _free[size] ??= new Stack<byte[]>();
        byte[] array = _free[size].Count > 0 ? _free[size].Pop() : new byte[1 << size];
        _taken.Add(array);
        return array;
    }

    /// <summary>The simulation that rented everything is over.</summary>
    public void ReturnAll()
    {
        foreach (byte[] array in _taken)
            _free[BitOperations.Log2((uint)array.Length)].Push(array);
        _taken.Clear();
    }
}
