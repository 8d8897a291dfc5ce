// What happened in one simulation, or the sum over many.
using System;

namespace FastBackup.Tests.Simulation.World;

sealed class Tallies
{
    public readonly ulong[] Faults = new ulong[Enum.GetValues<Mishap>().Length];
    public readonly ulong[] Branches = new ulong[Enum.GetValues<Branch>().Length];
    public ulong GuestOperations;

    public void Count(Mishap kind) => Faults[(int)kind]++;

    public void Count(Branch branch) => Branches[(int)branch]++;

    public void Clear()
    {
        Array.Clear(Faults);
        Array.Clear(Branches);
        GuestOperations = 0;
    }

    public void Add(Tallies other)
    {
        for (int i = 0; i < Faults.Length; i++)
            Faults[i] += other.Faults[i];
        for (int i = 0; i < Branches.Length; i++)
            Branches[i] += other.Branches[i];
        GuestOperations += other.GuestOperations;
    }
}
