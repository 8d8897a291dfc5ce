// fb_engine_*: open, close, query, warnings, events.
using System;
using FastBackup.Base;
using FastBackup.Devices.Rbd;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;
using FastBackup.Runtime;

namespace FastBackup.Native.Calls;

static class EngineCalls
{
    const ulong BufferBytesMax = Units.TiB;
    const uint ChunkBytesMin = 4096;
    const uint ChunkBytesMax = 1 << 30;
    const ulong BufferCountMax = 1 << 20;
    const uint DepthMax = 32768;

    public static unsafe int Open(EngineOptionsStruct* host, ulong* result)
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        EngineOptionsStruct given = default;
        Answer answer = host == null ? Answer.Ok : StructSize.TryRead(host, EngineOptionsStruct.SizeFirst, out given);
        bool isDefault = given.BufferBytes == 0;
        if (answer.IsOk)
            answer = Check(ref given);
        if (!answer.IsOk)
            return answer.Tell();
        EngineOptions options = new()
        {
            BufferBytesUsual = isDefault ? Engine.BufferBytesUsual : null,
            BufferBytes = given.BufferBytes,
            ChunkBytes = given.ChunkBytes,
            Depth = given.IoDepth,
            MayUseRing = (given.Flags & Fb.EngineNoIoUring) == 0,
            IsHostDriven = (given.Flags & Fb.EngineHostDriven) != 0,
        };
        Fault fault = Engine.TryOpen(options, out Engine? core);
        HostLoop? loop = null;
        if (fault.IsNone && options.IsHostDriven)
            fault = HostLoop.TryCreate(core!, out loop);
        if (fault.IsFault)
        {
            core?.Dispose();
            return Answer.Of(fault).Tell();
        }
        *result = HandleTable.Open(new EngineObject { Core = core!, Loop = loop });
        return Status.Ok;
    }

    static Answer Check(ref EngineOptionsStruct given)
    {
        if ((given.Flags & ~(Fb.EngineNoIoUring | Fb.EngineHostDriven)) != 0)
            return Answer.Unsupported($"engine flags {given.Flags:x} are not all known");
        if (given.Flags == (Fb.EngineNoIoUring | Fb.EngineHostDriven))
            return Answer.Invalid("a host-driven engine has no worker threads: it needs io_uring");
        if (given.ChunkBytes == 0)
            given.ChunkBytes = (uint)Units.MiB;
        if (given.BufferBytes == 0)
            given.BufferBytes = Math.Max(Engine.BufferBytesDefault(), given.ChunkBytes);
        if (given.IoDepth == 0)
            given.IoDepth = 4096;
        if (!Units.IsPowerOfTwo(given.ChunkBytes) || given.ChunkBytes is < ChunkBytesMin or > ChunkBytesMax)
            return Answer.Invalid($"chunk_bytes {given.ChunkBytes} is not a power of two of 4 KiB to 1 GiB");
        if (given.BufferBytes > BufferBytesMax || given.BufferBytes / given.ChunkBytes is < 1 or > BufferCountMax)
            return Answer.Invalid($"buffer_bytes {given.BufferBytes} is not 1 to 2^20 chunks, at most 1 TiB");
        return given.IoDepth > DepthMax ? Answer.Invalid($"io_depth {given.IoDepth} is above {DepthMax}") : Answer.Ok;
    }

    public static int Close(ulong id)
    {
        if (id == 0)
            return Status.Ok;
        if (HandleTable.Find<EngineObject>(id) is not { } engine)
            return Answer.Handle(EngineObject.Noun).Tell();
        Answer answer = engine.CloseIfUnused();
        if (answer.IsOk)
        {
            LingeringDevices.Abandon(engine);
            // Else a host that exits now does so under Ceph's threads, which end the process by an abort.
            RbdDevice.AwaitClosed();
        }
        return answer.Tell();
    }

    public static unsafe int Query(ulong id, EngineStateStruct* host)
    {
        if (HandleTable.Find<EngineObject>(id) is not { } engine)
            return Answer.Handle(EngineObject.Noun).Tell();
        EngineStateStruct state = default;
        Answer answer = engine.Run(
            engine,
            () =>
            {
                BufferPool(engine, ref state);
                return Answer.Ok;
            }
        );
        if (engine.IsStopped)
            state.Flags |= Fb.EngineIsStopped;
        if (engine.Reactor.FileIo.Name == "io_uring")
            state.Flags |= Fb.EngineHasIoUring;
        state.WarningCount = (uint)engine.Core.Warnings.Count;
        state.ChildCount = engine.ChildCount;
        state.HeapBytes = (ulong)GC.GetTotalAllocatedBytes(precise: true);
        return (answer.IsOk ? StructSize.TryWrite(host, EngineStateStruct.SizeFirst, state) : answer).Tell();
    }

    static void BufferPool(EngineObject engine, ref EngineStateStruct state)
    {
        Memory.BufferPool pool = engine.Core.Pool;
        state.BufferBytes = pool.SizeBytes;
        state.BufferFreeBytes = pool.FreeBytes;
    }

    public static unsafe int Warning(ulong id, uint index, byte* text, uint capacity, uint* length)
    {
        if (HandleTable.Find<EngineObject>(id) is not { } engine)
            return Answer.Handle(EngineObject.Noun).Tell();
        if (text == null || capacity == 0 || length == null)
            return Answer.Invalid("text or length is NULL, or the capacity 0").Tell();
        if (index >= (uint)engine.Core.Warnings.Count)
            return new Answer(Status.Range, default, "no such warning").Tell();
        string warning = engine.Core.Warnings[(int)index];
        // SAFETY: the host vouches for capacity bytes.
        _ = Utf8Name.Write(warning, new Span<byte>(text, (int)Math.Min(capacity, int.MaxValue)));
        *length = (uint)System.Text.Encoding.UTF8.GetByteCount(warning);
        return Status.Ok;
    }

    public static unsafe int Events(ulong id, ulong* sequence, EventStruct* events, uint eventSize, uint capacity)
    {
        if (HandleTable.Find<EngineObject>(id) is not { } engine)
            return Answer.Handle(EngineObject.Noun).Tell();
        if (sequence == null || (events == null && capacity > 0) || eventSize < EventStruct.SizeFirst)
            return Answer.Invalid("sequence or events is NULL, or event_size too small").Tell();
        int count = 0;
        capacity = Math.Min(capacity, int.MaxValue);
        while (count < capacity && engine.Events.TryNext(*sequence, out EventStruct happened))
        {
            // SAFETY: the host vouches for capacity elements of eventSize bytes.
            *(EventStruct*)((byte*)events + (ulong)count * eventSize) = happened;
            *sequence = happened.Sequence;
            count++;
        }
        return count;
    }
}
