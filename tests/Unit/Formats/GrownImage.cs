// An image in memory whose disk becomes larger, and nothing else.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats.Qcow2;
using FastBackup.Memory;
using FastBackup.Tests.Images;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

static class GrownImage
{
    /// <param name="file">Of the image.</param>
    /// <param name="diskBytes">That its disk is to have.</param>
    /// <returns>The file afterwards: an image, of which nothing is wrong and nothing leaks.</returns>
    public static byte[] Of(byte[] file, ulong diskBytes)
    {
        using SimulatedLoop loop = new(1);
        FileImage reader = new(file);
        Assert.True(Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header).IsNone);
        Assert.True(Qcow2Tables.TryReadL1(reader, header!, "image", out NativeArray<ulong>? l1).IsNone);
        Assert.True(WritableParts.TryRead(reader, header!, l1!, "image", (true, null), out var writable).IsNone);
        ImageFile image = new(loop.Reactor, file, new Prng(1));
        Qcow2Parts parts = new()
        {
            File = image,
            Header = header!,
            L1 = l1!,
            Writable = writable,
        };
        using Qcow2Device device = new(loop.Reactor, "image", parts);
        OpenRefusal refusal = Qcow2Growth.TryCreate(device, diskBytes, out Qcow2Growth? growth);
        Assert.True(refusal.IsNone, refusal.Sentence);
        Fault? end = null;
        Assert.True(device.TryBegin(growth!, fault => end = fault));
        loop.RunUntil(() => device.InFlightCount == 0);
        Assert.Equal(Fault.None, end);
        device.Submit(new BlockRequest { Operation = BlockOperation.Flush, Owner = new Ignored() });
        loop.RunUntil(() => device.InFlightCount == 0);
        byte[] after = image.Content;
        FileImage again = new(after);
        Assert.True(Qcow2Tables.TryReadHeader(again, "image", out header).IsNone);
        Assert.Equal(diskBytes, header!.SizeBytes);
        CheckFindings findings = Qcow2Check.Run(again, header);
        Assert.Equal((null, 0ul, 0ul), (findings.Incomplete, findings.Corruptions, findings.Leaks));
        return after;
    }

    sealed class Ignored : IBlockOwner
    {
        public void OnBlockCompleted(ulong userData, in BlockResult result) => Assert.True(result.Fault.IsNone);
    }
}
