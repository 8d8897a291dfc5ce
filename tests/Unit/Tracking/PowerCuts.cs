// How many power cuts the models of trackers try in every run: each of them asserts its own share, and all of them
// together are a hundred thousand. A cut is one choice of what each sector is that was written and not flushed; kills
// are not counted.
namespace FastBackup.Tests.Unit.Tracking;

static class PowerCuts
{
    public const ulong OfTracker = 40_000;
    public const ulong OfPoints = 60_000;
}
