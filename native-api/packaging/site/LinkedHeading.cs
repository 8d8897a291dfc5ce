// A heading with a link to itself, so that one can be handed on.
using Markdig.Renderers;
using Markdig.Renderers.Html;
using Markdig.Syntax;

namespace FastBackup.Site;

sealed class LinkedHeading : HtmlObjectRenderer<HeadingBlock>
{
    protected override void Write(HtmlRenderer renderer, HeadingBlock heading)
    {
        string? id = heading.TryGetAttributes()?.Id;
        _ = renderer.Write($"<h{heading.Level}").WriteAttributes(heading).Write(">");
        _ = renderer.WriteLeafInline(heading);
        if (heading.Level > 1 && id != null)
            _ = renderer.Write($"<a class=\"here\" href=\"#{id}\" aria-label=\"Link to this part\">#</a>");
        _ = renderer.WriteLine($"</h{heading.Level}>");
    }
}
