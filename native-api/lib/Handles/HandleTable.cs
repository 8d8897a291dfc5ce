// Handles of the process: {kind 8, generation 32, slot 24}. A slot's generation grows with each use and a slot is given
// up when it is through, so no handle is ever given out twice and a stale one is known for ever.
//
// Looking up takes no lock: one array read, one reference read, one comparison. The array is replaced when it grows;
// a reader that still has the old one finds what was open when it looked.
// Cost: 1 ns. Opening and closing take a lock and are rare.
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Threading;
using FastBackup.Base;

namespace FastBackup.Native.Handles;

/// <summary>Threads: any.</summary>
static class HandleTable
{
    const int SlotCountFirst = 256;
    const int SlotCountMax = 1 << 24;
    const int GenerationShift = 24;
    const int KindShift = 56;

    static readonly Lock s_lock = new();
    static readonly Stack<int> s_free = new();
    static uint[] s_generations = [];
    static int s_nextSlot;

    /// <summary>The open object of a handle of this kind, or null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T? Find<T>(ulong id)
        where T : AbiObject, IHandleKind
    {
        AbiObject?[] objects = HandleSlots.Objects;
        uint slot = (uint)id & (SlotCountMax - 1);
        if (slot < (uint)objects.Length && id >> KindShift == (ulong)T.Kind)
        {
            AbiObject? found = objects[slot];
            if (found != null && found.Id == id)
                return Unsafe.As<T>(found); // the id has the kind in it, and each kind is one class
        }
        return null;
    }

    /// <summary>The open object of any kind, or null.</summary>
    public static AbiObject? Find(ulong id)
    {
        AbiObject?[] objects = HandleSlots.Objects;
        uint slot = (uint)id & (SlotCountMax - 1);
        AbiObject? found = slot < (uint)objects.Length ? objects[slot] : null;
        return found != null && found.Id == id && id != 0 ? found : null;
    }

    /// <summary>Gives a handle to an object that is ready for use.</summary>
    /// <returns>0 when all slots are in use or used up: 16 million.</returns>
    public static ulong Open<T>(T item)
        where T : AbiObject, IHandleKind
    {
        lock (s_lock)
        {
            if (!s_free.TryPop(out int slot))
            {
                if (s_nextSlot == SlotCountMax)
                    return 0;
                slot = s_nextSlot++;
                Grow(slot);
            }
            uint generation = ++s_generations[slot];
            item.Id = (ulong)T.Kind << KindShift | (ulong)generation << GenerationShift | (uint)slot;
            Volatile.Write(ref HandleSlots.Objects[slot], item);
            return item.Id;
        }
    }

    /// <summary>The handle is stale from now on.</summary>
    public static void Close(AbiObject item)
    {
        lock (s_lock)
        {
            int slot = (int)((uint)item.Id & (SlotCountMax - 1));
            Check.That(ReferenceEquals(HandleSlots.Objects[slot], item));
            Volatile.Write(ref HandleSlots.Objects[slot], null);
            if (s_generations[slot] != uint.MaxValue)
                s_free.Push(slot);
        }
    }

    static void Grow(int slot)
    {
        if (slot < HandleSlots.Objects.Length)
            return;
        int count = System.Math.Max(SlotCountFirst, HandleSlots.Objects.Length * 2);
        AbiObject?[] objects = new AbiObject?[count];
        uint[] generations = new uint[count];
        HandleSlots.Objects.CopyTo(objects, 0);
        s_generations.CopyTo(generations, 0);
        s_generations = generations;
        Volatile.Write(ref HandleSlots.Objects, objects);
    }
}

/// <summary>Apart, so that reading it needs no look at whether a class was initialised.</summary>
static class HandleSlots
{
    public static AbiObject?[] Objects = [];
}
