// What a backup can become.
namespace FastBackup.Cli;

enum ImageFormat
{
    Raw,
    Qcow2,
}
