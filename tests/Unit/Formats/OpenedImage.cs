// An image on a real engine, read by the test one request after the other.
using System;
using System.Collections.Generic;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Runtime;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

sealed unsafe class OpenedImage : IBlockOwner, IDisposable
{
    const int BufferBytes = 4 << 20;
    const int EntriesMax = 50;

    readonly Engine _engine;
    readonly AlignedRegion _buffer = AlignedRegion.Map(BufferBytes, RegionResidency.Resident);
    readonly CountdownEvent _left = new(1);
    BlockResult _result;

    OpenedImage(Engine engine, IBlockDevice device) => (_engine, Device) = (engine, device);

    public IBlockDevice Device { get; }

    public static OpenRefusal TryOpen(string path, FormatRule format, out OpenedImage? image)
    {
        image = null;
        EngineOptions options = new() { BufferBytes = Units.MiB };
        Assert.True(Engine.TryOpen(options, out Engine? engine).IsNone);
        FileOpenOptions how = new()
        {
            Path = path,
            IsReadOnly = true,
            Format = format,
        };
        OpenRefusal refusal = ImageOpener.TryOpen(engine!.Reactor, how, out IBlockDevice? device);
        if (device != null)
            image = new OpenedImage(engine, device);
        else
            engine.Dispose();
        return refusal;
    }

    public static OpenedImage Open(string path)
    {
        OpenRefusal refusal = TryOpen(path, FormatRule.Refused, out OpenedImage? image);
        Assert.True(refusal.IsNone, refusal.Sentence);
        return image!;
    }

    /// <summary>Reads by many requests at once.</summary>
    public Fault Read(ulong offset, Span<byte> into, int pieceBytes)
    {
        Assert.True(into.Length <= BufferBytes);
        int length = into.Length;
        _result = default;
        _left.Reset((length + pieceBytes - 1) / pieceBytes);
        _engine.Reactor.Invoke(() =>
        {
            for (int at = 0; at < length; at += pieceBytes)
                Device.Submit(
                    new BlockRequest
                    {
                        Operation = BlockOperation.Read,
                        OffsetBytes = offset + (ulong)at,
                        LengthBytes = (ulong)Math.Min(pieceBytes, length - at),
                        Buffer = _buffer.Start + at,
                        Owner = this,
                    }
                );
        });
        Assert.True(_left.Wait(30_000), "no answer");
        _buffer.Slice(0, length).CopyTo(into);
        return _result.Fault;
    }

    public List<MapEntry> Map()
    {
        List<MapEntry> entries = [];
        for (ulong at = 0; at < Device.Limits.CapacityBytes; at = entries[^1].OffsetBytes + entries[^1].LengthBytes)
        {
            _left.Reset(1);
            BlockRequest request = new()
            {
                Operation = BlockOperation.Map,
                OffsetBytes = at,
                LengthBytes = Device.Limits.CapacityBytes - at,
                Buffer = _buffer.Start,
                MapCapacity = EntriesMax,
                Owner = this,
            };
            _engine.Reactor.Invoke(() => Device.Submit(request));
            Assert.True(_left.Wait(30_000), "no answer");
            Assert.True(_result.Fault.IsNone, _result.Fault.ToString());
            Assert.InRange(_result.Count, 1u, (uint)EntriesMax);
            foreach (MapEntry entry in new ReadOnlySpan<MapEntry>((void*)_buffer.Start, (int)_result.Count))
            {
                Assert.Equal(at, entry.OffsetBytes);
                at += entry.LengthBytes;
                entries.Add(entry);
            }
        }
        return entries;
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (result.Fault.IsFault || _result.Fault.IsNone)
            _result = result;
        _left.Signal();
    }

    public void Dispose()
    {
        _engine.Reactor.Invoke(Device.Dispose);
        _engine.Dispose();
        _buffer.Dispose();
        _left.Dispose();
    }
}
