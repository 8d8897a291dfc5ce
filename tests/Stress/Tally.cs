// What a stress run did.
using System.Globalization;

namespace FastBackup.Tests.Stress;

sealed class Tally
{
    public long Rounds { get; set; }

    public long Writes { get; set; }

    public long Waited { get; set; }

    public long SnapshotReads { get; set; }

    public long Mismatches { get; set; }

    public override string ToString() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"rounds={Rounds} writes={Writes} waited={Waited} snapshotReads={SnapshotReads} mismatches={Mismatches}"
        );
}
