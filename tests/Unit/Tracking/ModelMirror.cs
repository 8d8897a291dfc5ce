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

    /// <summary>Says that it has what it has not.</summary>
    public bool IsDeaf { get; set; }

    public ulong SetCount { get; private set; }

    public bool TrySet(ulong granule)
    {
        if (Fails)
            return false;
        if (IsDeaf)
            return true;
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

    public ulong MapId { get; init; }

    public ulong Sequence { get; set; }

    public void Restamp(ulong sequence) => Sequence = sequence;

    public void Void() => IsVoid = true;

    public LiveImage Image(TrackerHeader header) =>
        new(new ModelFile((byte[])Bits.Clone()), header.TrackerId, header.MapId, header.Sequence, IsVoid);
}
