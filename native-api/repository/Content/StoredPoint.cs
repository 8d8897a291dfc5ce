// A point in time as the repository has it: its snapshot.
using System;

namespace FastBackup.Repositories;

/// <param name="Id">Its name.</param>
/// <param name="Document">What it says.</param>
/// <param name="Time">When it was taken.</param>
sealed record StoredPoint(BlobId Id, SnapshotDocument Document, DateTime Time)
{
    public BlobId Tree => BlobId.TryParse(Document.Tree, out BlobId tree) ? tree : default;
}
