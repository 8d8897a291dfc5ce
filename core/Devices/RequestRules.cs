// What is wrong with a request before anything is done for it.
using System;
using FastBackup.Base;

namespace FastBackup.Devices;

static class RequestRules
{
    /// <summary>The first bytes of every qcow2 image. Source: QEMU docs/interop/qcow2.rst.</summary>
    static ReadOnlySpan<byte> Magic => [(byte)'Q', (byte)'F', (byte)'I', 0xfb];

    /// <param name="request">With a range.</param>
    /// <param name="limits">Of its device.</param>
    /// <returns>None, or why it fails.</returns>
    public static Fault Check(in BlockRequest request, BlockLimits limits)
    {
        if (request.Operation.IsWrite() && limits.IsReadOnly)
            return new Fault(FaultKind.Unsupported, Errnos.EROFS, request.OffsetBytes);
        if (!new Extent(request.OffsetBytes, request.LengthBytes).IsWithin(limits.CapacityBytes))
            return new Fault(FaultKind.Range, 0, request.OffsetBytes);
        bool isGuarded = limits.IsHeadGuarded && request.Operation == BlockOperation.Write;
        return isGuarded && MakesImage(request)
            ? new Fault(FaultKind.Unsupported, Errnos.EPERM, request.OffsetBytes)
            : Fault.None;
    }

    /// <summary>All that it writes of the first bytes is what an image has there: what it leaves may be, too.</summary>
    static unsafe bool MakesImage(in BlockRequest request)
    {
        if (request.OffsetBytes >= (ulong)Magic.Length || request.LengthBytes == 0)
            return false;
        ReadOnlySpan<byte> rest = Magic[(int)request.OffsetBytes..];
        int count = (int)Math.Min((ulong)rest.Length, request.LengthBytes);
        // SAFETY: the caller keeps LengthBytes at Buffer until the completion.
        return new ReadOnlySpan<byte>((void*)request.Buffer, count).SequenceEqual(rest[..count]);
    }
}
