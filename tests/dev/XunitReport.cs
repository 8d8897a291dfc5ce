// Reads the XML report of an xunit program.
// Source: xUnit.net documentation, "xUnit.net v2+ XML format" (result is Pass, Fail, Skip or NotRun).
using System.IO;
using System.Linq;
using System.Xml;
using System.Xml.Linq;

namespace FastBackup.Dev;

static class XunitReport
{
    /// <returns>Null when there is no whole report: the program ended before it wrote one.</returns>
    public static Outcome? TryRead(string path)
    {
        if (!File.Exists(path))
            return null;
        try
        {
            return Read(XDocument.Load(path));
        }
        catch (XmlException)
        {
            return null;
        }
    }

    static Outcome Read(XDocument report)
    {
        Outcome outcome = new();
        foreach (XElement test in report.Descendants("test"))
        {
            string name = (string?)test.Attribute("name") ?? "(no name)";
            switch ((string?)test.Attribute("result"))
            {
                case "Pass":
                    outcome.PassedCount++;
                    break;
                case "Skip":
                    outcome.Skipped.Add((name, test.Element("reason")?.Value ?? "no reason given"));
                    break;
                case "NotRun":
                    break;
                default:
                    outcome.Failed.Add(name);
                    break;
            }
        }
        // Clean-up that failed belongs to no test.
        foreach (XElement error in report.Descendants("error"))
            outcome.Failed.Add($"{(string?)error.Attribute("type")} {(string?)error.Attribute("name")}".Trim());
        return outcome;
    }
}
