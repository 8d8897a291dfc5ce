// What could be done wrong when a tracker moves, each of which the model must find.
namespace FastBackup.Tests.Unit.Tracking;

public enum MoveMistake
{
    None,

    /// <summary>The giver's header is written, and nobody waits until it is durable.</summary>
    NotFlushed,

    /// <summary>The giver goes on.</summary>
    NotRetired,

    /// <summary>The token counts before the giver's header says that it is over.</summary>
    SignedTooEarly,

    /// <summary>The taker's header is there before what it names.</summary>
    HeaderBeforeMaps,

    /// <summary>The taker does not look whether the disk is as it was left.</summary>
    DiskNotLookedAt,

    /// <summary>The taker looks at the places only, of a copy, too.</summary>
    PlacesOnly,
}
