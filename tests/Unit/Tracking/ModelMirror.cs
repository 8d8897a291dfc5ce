// The mirror of a live map in a test: what a kill leaves. It may fail from some bit on.
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Live;
using FastBackup.Tracking.Recovery;

namespace FastBackup.Tests.Unit.Tracking;

sealed class ModelMirror(TrackerShape shape) : ILiveMirror
{
    public byte[] Bits { get; } = new byte[shape.LiveBytes];

    public bool IsVoid { get; private set; }

    public bool Fails { get; set; }

    public ulong SetCount { get; private set; }

    public bool TrySet(ulong granule)
    {
        if (Fails)
            return false;
        Bits[granule / 8] |= (byte)(1 << (int)(granule % 8));
        SetCount++;
        return true;
    }

    public bool TrySetRange(ulong firstGranule, ulong granuleCount)
    {
        for (ulong i = 0; i < granuleCount && !Fails; i++)
            _ = TrySet(firstGranule + i);
        return !Fails;
    }

    public void Void() => IsVoid = true;

    public LiveImage Image(TrackerHeader header) =>
        new(new ModelFile((byte[])Bits.Clone()), header.TrackerId, header.MapId, header.Sequence, IsVoid);
}
