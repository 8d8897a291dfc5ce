// A table that scrolls by itself where it is wider than the screen; by the keyboard, too.
using Markdig.Extensions.Tables;
using Markdig.Renderers;

namespace FastBackup.Site;

sealed class WideTable : HtmlTableRenderer
{
    protected override void Write(HtmlRenderer renderer, Table table)
    {
        _ = renderer.Write("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Table\">");
        base.Write(renderer, table);
        _ = renderer.WriteLine("</div>");
    }
}
