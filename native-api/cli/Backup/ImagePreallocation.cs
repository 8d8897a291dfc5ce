// Which places of a new image there are from the start.
namespace FastBackup.Cli;

enum ImagePreallocation
{
    Off,
    Metadata,
}
